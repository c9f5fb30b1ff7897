//go:build race

package offheap

// Default is the Memory in use with -race.
var Default Memory = Heap{}
