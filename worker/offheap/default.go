//go:build !race

package offheap

// Default is the Memory in use, except with -race.
var Default Memory = Kernel{}
