//go:build !race

package offheap

// Default is the memory of the product.
var Default Memory = Kernel{}
