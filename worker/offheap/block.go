package offheap

// Block is memory of a [Memory], or of Go's heap where that had none to give: for what cannot
// wait. The zero value is no memory.
type Block struct {
	b      []byte
	memory Memory
}

// AllocBlock gets n bytes of m, n > 0.
func AllocBlock(m Memory, n int) Block {
	b, err := m.Alloc(n)
	if err != nil {
		return Block{make([]byte, n), Heap{}}
	}
	return Block{b, m}
}

// Bytes is the memory.
func (k Block) Bytes() []byte { return k.b }

// Recycle is called when nobody reads the bytes any more and they may be written again.
func (k Block) Recycle() { k.memory.Recycle(k.b) }

// Free gives the memory back. Nobody may touch it afterwards.
func (k Block) Free() { k.memory.Free(k.b) }
