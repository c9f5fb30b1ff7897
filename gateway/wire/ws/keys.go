package ws

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
)

// keys makes the masking keys of one connection's acks, a new one for each frame: AES in counter
// mode under a key from the operating system, which is the strong source of entropy that RFC 6455
// 5.3 and 10.3 require. It makes many at once; one at a time, they would dominate the cost of an
// ack.
type keys struct {
	stream cipher.Stream
	made   []byte
	next   int // in made
}

const (
	keySize  = 4 // bytes
	keyBatch = 1024 * keySize
)

func newKeys() keys {
	var seed [16 + aes.BlockSize]byte
	_, _ = rand.Read(seed[:]) // it does not fail
	block, err := aes.NewCipher(seed[:16])
	if err != nil {
		panic("ws: " + err.Error()) // the key has its length
	}
	return keys{stream: cipher.NewCTR(block, seed[16:])}
}

// take returns one to n keys of keySize bytes each, valid until the next call.
func (k *keys) take(n int) []byte {
	if k.next == len(k.made) {
		k.make()
	}
	some := k.made[k.next:min(k.next+n*keySize, len(k.made))]
	k.next += len(some)
	return some
}

func (k *keys) make() {
	if k.made == nil {
		k.made = make([]byte, keyBatch)
	}
	clear(k.made)
	k.stream.XORKeyStream(k.made, k.made)
	k.next = 0
}
