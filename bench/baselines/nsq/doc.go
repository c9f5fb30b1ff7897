// Package nsq has the NSQ clients that a user would write instead of a gateway, and the nsqd with
// which they are measured.
//
//	GoNSQ       github.com/nsqio/go-nsq as documented
//	GoNSQTuned  the same with the settings that could help
//	Inline      one goroutine over a bare connection: shows the cost of the library, and of workers
//
// They consume the channel bench of the topic bench, with up to 2500 messages in flight, the
// maximum of nsqd's defaults; go-nsq's default is 1. They finish every message and end when nsqd
// closes the connection.
//
//	Server: nsqd of its Go module --memory queue, filled before--> client
//	                               <------------ FIN ------------
//
// The effect of GoNSQTuned's settings is within the spread: go-nsq writes each FIN separately, so
// each message costs both sides a system call.
//
// Inline implements the few necessary parts of nsqd's protocol itself, as a user would, instead of
// using the gateway's package.
package nsq
