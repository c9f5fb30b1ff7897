//go:build race

package offheap

// Default is memory that the race detector sees.
var Default Memory = Heap{}
