// Package nsq is the fault suite of NSQ upstreams: the real binary between real nsqd processes and
// real files, and everything that can go wrong between them. It contains only tests.
//
//	source --- nsqd --- relay --- feedgate run --- file sink, or children of an exec sink
//	       (statistics) (records FINs, cuts,         (ledger: what is durable)
//	                     rewrites commands)
//
// Every message is its number, so a sink's file can be compared with what was published. Nothing is
// lost if each number is in the file and nsqd has no message left.
//
// Tests have a long form and, with -short, a short one. CHAOS_SEED sets the random seed; each run
// prints its own.
package nsq
