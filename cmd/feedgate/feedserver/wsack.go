package feedserver

import (
	"encoding/binary"
	"math/bits"
)

const (
	wsAckDigits = 16 // the most that scanWSAck parses
	wsAckDigit  = 2 + wsKeySize + 1
	zeros       = 0x3030303030303030
)

// scanWSAck parses the ack that b begins with, if it has at most wsAckDigits digits, is one frame and
// more bytes follow, as is usual. size is the frame's length; 0: no such ack. Most frames that the
// feed reads are acks, so it handles eight digits at a time.
func scanWSAck(b []byte) (n uint64, size int) {
	if len(b) < wsAckDigit+wsAckDigits {
		return 0, 0
	}
	digits := int(b[1]) - wsMask - 1
	if b[0] != wsFin|opText && b[0] != wsFin|opBinary || digits < 1 || digits > wsAckDigits || b[6]^b[2] != 'A' {
		return 0, 0
	}
	// The key, rotated for the digits, which begin at the second byte of the payload.
	half := bits.RotateLeft32(binary.LittleEndian.Uint32(b[2:]), -8)
	key := uint64(half)<<32 | uint64(half)
	low := binary.LittleEndian.Uint64(b[wsAckDigit:]) ^ key
	size = wsAckDigit + digits
	if digits > 8 {
		high := low
		if !areDigits(high) {
			return 0, 0
		}
		n = eightDigits(high) * powers[digits-8]
		low = binary.LittleEndian.Uint64(b[wsAckDigit+8:]) ^ key
		digits -= 8
	}
	shift := uint(8-digits) * 8
	low = low<<shift | zeros&(1<<shift-1)
	if !areDigits(low) {
		return 0, 0
	}
	return n + eightDigits(low), size
}

var powers = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// areDigits reports whether the eight bytes of x are decimal digits: their upper halves are 3, and
// remain so when 6 is added.
func areDigits(x uint64) bool {
	const upper = 0xf0f0f0f0f0f0f0f0
	return x&upper == zeros && (x+0x0606060606060606)&upper == zeros
}

// scanWSAcks parses acks as scanWSAck does, as long as their numbers increase by 1. n is the first
// number, count the number of acks and size their total length. While only the last digit changes, it
// compares the next ack with the expected bytes, which is faster than parsing.
func scanWSAcks(b []byte) (n, count uint64, size int) {
	const words = wsHeadSize + wsKeySize + 8 + 8
	n, frame := scanWSAck(b)
	payload := frame - wsHeadSize - wsKeySize
	if n == 0 || payload > 16 { // no message has the number 0
		return n, 1, frame
	}
	low, high := unmaskedWords((*[words]byte)(b))
	ofLow, ofHigh := uint64(1)<<(8*payload)-1, uint64(0)
	stepLow, stepHigh := uint64(1)<<(8*(payload-1)), uint64(0)
	if payload > 8 {
		ofLow, ofHigh = 1<<64-1, 1<<(8*(payload-8))-1
		stepLow, stepHigh = 0, 1<<(8*(payload-9))
	}
	head := [wsHeadSize]byte(b)
	count, size = 1, frame
	for left := 9 - n%10; left > 0 && len(b)-size >= words; left-- {
		f := (*[words]byte)(b[size:])
		low, high = low+stepLow, high+stepHigh
		gotLow, gotHigh := unmaskedWords(f)
		if [wsHeadSize]byte(f[:]) != head || (gotLow^low)&ofLow|(gotHigh^high)&ofHigh != 0 {
			break
		}
		count++
		size += frame
	}
	return n, count, size
}

// unmaskedWords returns the first 16 bytes after a frame's head and key, unmasked. Bytes after the end
// of a shorter payload are arbitrary.
func unmaskedWords(f *[wsHeadSize + wsKeySize + 8 + 8]byte) (low, high uint64) {
	key := uint64(binary.LittleEndian.Uint32(f[wsHeadSize:]))
	key |= key << 32
	return binary.LittleEndian.Uint64(f[wsHeadSize+wsKeySize:]) ^ key,
		binary.LittleEndian.Uint64(f[wsHeadSize+wsKeySize+8:]) ^ key
}

// eightDigits returns the number with these eight digits, the first one in the lowest byte. It combines
// neighbours to numbers of two, four, then eight digits.
func eightDigits(x uint64) uint64 {
	const (
		pairs = 0x000000ff000000ff // every second pair of digits
		odd   = 1e2 + 1e6*(1<<32)  // factors of these pairs
		even  = 1 + 1e4*(1<<32)    // factors of the others
	)
	x -= zeros
	x = x*10 + x>>8
	return ((x&pairs)*odd + (x>>16&pairs)*even) >> 32
}
