// Package destination has the servers that get the messages of subjects which pass them on. Each runs in
// a process of its own, and only counts.
//
//	kafka  a cluster of kfake, three brokers, one topic of six partitions, which stores nothing
//	http   a server of net/http that counts lines, at any path
package destination
