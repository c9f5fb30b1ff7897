package offheap

// Block is memory of a [Memory], or of Go's heap if that had none. The zero value has no memory.
type Block struct {
	b      []byte
	memory Memory
}

// AllocBlock allocates n bytes, n > 0, of m or else of Go's heap.
func AllocBlock(m Memory, n int) Block {
	b, err := m.Alloc(n)
	if err != nil {
		return Block{make([]byte, n), Heap{}}
	}
	return Block{b, m}
}

// Bytes returns the memory.
func (k Block) Bytes() []byte { return k.b }

// Recycle is [Memory].Recycle.
func (k Block) Recycle() { k.memory.Recycle(k.b) }

// Free frees the memory. Nobody may use it afterwards.
func (k Block) Free() { k.memory.Free(k.b) }
