package gateway

import (
	"time"

	"golang.org/x/sys/unix"
)

func (s *socket) path() pathState {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil || info.State == stateClosed {
		return pathState{} // the poller reports why
	}
	unacked := s.unacked()
	return pathState{
		pending: unacked > 0,
		resent:  unacked > 0 && (info.Retransmits > 0 || info.Backoff > 0 || info.Probes > 0),
		quiet: info.Probes > 0 || sentAgain(info) && info.Last_data_sent < info.Last_ack_recv ||
			unacked == 1 && closeSent(info.State) && info.Retransmits > 0,
		silence: time.Duration(min(info.Last_ack_recv, info.Last_data_recv)) * time.Millisecond,
		resends: uint64(info.Total_retrans)<<8 | uint64(info.Backoff),
		answers: answers(info, unacked),
	}
}

// answers counts the signs that our segments arrive at the peer. The count may jump when the peer
// acknowledges bytes or ends its stream.
func answers(info *unix.TCPInfo, unacked int) uint64 {
	count := info.Bytes_acked + info.Bytes_received
	switch {
	case unacked == 1 && closeSent(info.State):
		return count // the only answer to a FIN is its acknowledgement
	case peerClosed(info.State) && info.Unacked > 0:
		return count + uint64(info.Segs_in-(info.Segs_out-info.Data_segs_out))
	default:
		return count + uint64(info.Segs_in-info.Data_segs_in)
	}
}

// How TCP_INFO shows that something is unanswered, by linux/net/ipv4/tcp_timer.c and tcp_input.c:
//
// tcpi_probes counts window probes (tcp_send_probe0) and any accepted ack zeroes it (tcp_ack). Probes
// are sent only with nothing in flight: bytes in flight are their own probes. tcpi_backoff counts
// probes, too, up to 15.
//
// tcpi_last_ack_recv is the time since an ack was last accepted, answers to probes included.
// tcpi_last_data_sent is the time since data was last transmitted or retransmitted. So if the data is
// the more recent of the two, retransmitted bytes in flight are unanswered.
//
// The reverse proves nothing. Every segment of the peer carries an ack, including those that it
// retransmits because our acks are lost. Such a segment is accepted if its end is the end of all
// received data (tcp_sequence); each time, it counts as an ack and zeroes tcpi_probes. A real answer
// to a retransmission acknowledges bytes, or is a segment without data (tcp_send_dupack): it is in
// tcpi_segs_in and not in tcpi_data_segs_in. So are the peer's window probes, but they are not
// accepted, and a peer that probes has nothing in flight to retransmit.
//
// A retransmitted FIN of the peer is a segment without data, too, and is accepted. Our TCP acks each
// one and, with bytes in flight, sends no other segment without data. So once the peer has closed, the
// answers are the segments received minus those acks. With no bytes in flight, our window probes have
// no data either; the peer's FIN then counts as an answer to one.
//
// A FIN alone is no data: it does not update tcpi_last_data_sent (__tcp_transmit_skb). Its answer
// acknowledges it.
//
// Both times are in ms, from a clock with a resolution of up to 10 ms. An answer within the same tick
// counts, because the data is then not the more recent. A dead path is not mistaken for that, because
// the kernel waits at least 200 ms before it retransmits.

// sentAgain reports whether bytes in flight were retransmitted. tcpi_retransmits counts these since the
// peer last acknowledged new bytes, except while the peer has shrunk its window to 0 below the bytes in
// flight: tcp_retransmit_timer then only backs off. tcpi_backoff alone proves nothing: answers to
// window probes do not reset it.
func sentAgain(info *unix.TCPInfo) bool {
	return info.Retransmits > 0 || info.Backoff > 0 && info.Unacked > 0
}

// closeSent reports whether our FIN is sent and not acknowledged (linux/include/net/tcp_states.h).
func closeSent(state uint8) bool {
	const finWait1, lastAck, closing = 4, 9, 11
	return state == finWait1 || state == lastAck || state == closing
}

// peerClosed reports whether the peer's FIN was received.
func peerClosed(state uint8) bool {
	const closeWait, lastAck, closing = 8, 9, 11
	return state == closeWait || state == lastAck || state == closing
}
