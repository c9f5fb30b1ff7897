package gateway

// placeRun is n places from place on; where n is negative, -n numbers of messages that
// have left the window.
type placeRun struct {
	place uint64
	n     int
}

// hold keeps a rendered ack until all before it are sent.
func (a *acker) hold(place uint64, ack []byte) {
	if !a.rendered {
		return
	}
	if a.held == nil {
		a.held = make([][]byte, a.win.finished.mask+1)
	}
	slot := &a.held[place&a.win.finished.mask]
	*slot = append((*slot)[:0], ack...)
}

// enqueue adds what is new in the window to the queue.
func (a *acker) enqueue() {
	if a.queued < a.win.next {
		a.push(a.queued, int(a.win.next-a.queued))
		a.queued = a.win.next
	}
}

func (a *acker) push(place uint64, n int) {
	if a.queue.len() > 0 {
		if last := a.queue.last(); last.n > 0 && last.place+uint64(last.n) == place {
			last.n += n
			return
		}
	}
	a.queue.push(placeRun{place, n})
}

func (a *acker) pushRepeat(seq uint64) {
	if a.queue.len() > 0 {
		if last := a.queue.last(); last.n < 0 && last.place+uint64(-last.n) == seq {
			last.n--
			return
		}
	}
	a.queue.push(placeRun{seq, -1})
}

// inOrder appends the acks that are next in order of arrival on this connection: the
// order of places, but where the server sends again what once filled a gap.
func (a *acker) inOrder() {
	if a.conn == nil {
		return
	}
	a.enqueue()
	for a.queue.len() > 0 {
		r := a.queue.first()
		n := 1
		switch {
		case r.n < 0:
			a.emitRepeat(r.place)
			if r.place, r.n = r.place+1, r.n+1; r.n == 0 {
				a.queue.pop()
			}
			continue
		case r.place >= a.win.base && !a.win.settled.has(r.place):
			done, finished := a.win.finished.run(r.place, uint64(r.n))
			if !finished {
				return
			}
			if !a.rendered {
				n = int(done)
			}
			a.emit(r.place, n, a.rendering(r.place))
		}
		if r.place, r.n = r.place+uint64(n), r.n-n; r.n == 0 {
			a.queue.pop()
		}
	}
}

// rendering is the ack that the worker has made of a message, if it has.
func (a *acker) rendering(place uint64) []byte {
	if !a.rendered {
		return nil
	}
	return a.held[place&a.win.finished.mask]
}
