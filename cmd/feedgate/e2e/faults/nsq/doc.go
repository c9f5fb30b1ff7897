// Package nsq is the fault suite of nsq upstreams: the real binary between real nsqd
// processes and real files, and what can go wrong between them. Its tests are the package.
//
//	source --- nsqd --- relay --- feedgate run --- file sink, or children of an exec sink
//	        (what it counts)  (FINs seen, cuts, words changed)     (what is durable)
//
// Every message holds its number, so that a sink's file can be held against what was
// published: nothing lost is that each number is in the file and nsqd has nothing left.
//
// Tests have a long form and with -short a short one. The variable CHAOS_SEED sets what is
// random, from the seed that a run has printed.
package nsq
