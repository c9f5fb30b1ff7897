package delivery

// queue is a FIFO queue that reuses one slice.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int    { return len(q.items) - q.head }
func (q *queue[T]) first() *T   { return &q.items[q.head] }
func (q *queue[T]) last() *T    { return &q.items[len(q.items)-1] }
func (q *queue[T]) at(i int) *T { return &q.items[q.head+i] }
func (q *queue[T]) reset()      { q.items, q.head = q.items[:0], 0 }

func (q *queue[T]) push(v T) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	q.items = append(q.items, v)
}

func (q *queue[T]) pop() {
	q.head++
	if q.head == len(q.items) {
		q.reset()
	}
}
