// Package nsq holds what a user would write instead of a gateway where the messages are
// in NSQ, and the nsqd that they are measured with.
//
//	GoNSQ       github.com/nsqio/go-nsq as its documentation has it
//	GoNSQTuned  the same with those of its settings that could help
//	Inline      one goroutine over a bare connection: the price of the library, and of workers
//
// They take the channel bench of the topic bench, up to 2500 messages at a time, which
// is as many as nsqd allows by default; go-nsq's own default is 1. They finish every
// message that they were sent and end when nsqd closes the connection.
//
//	Server: nsqd of its Go module --memory queue, filled before--> client
//	                               <------------ FIN ------------
//
// What the settings of GoNSQTuned bring is lost in the spread: go-nsq writes each FIN by
// itself, so a message costs either side a system call, whatever lies ready.
//
// Inline has its own few lines of nsqd's protocol: a baseline that used the gateway's would
// not be what a user writes.
package nsq
