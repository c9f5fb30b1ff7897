package gateway

import (
	"time"

	"golang.org/x/sys/unix"
)

func (s *socket) path() pathState {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil || info.State == stateClosed {
		return pathState{} // the poller reports what has happened
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

// answers counts what shows that the peer has segments of ours. The count may jump where the peer
// accepts bytes or ends its stream.
func answers(info *unix.TCPInfo, unacked int) uint64 {
	count := info.Bytes_acked + info.Bytes_received
	switch {
	case unacked == 1 && closeSent(info.State):
		return count // any answer to our FIN acknowledges it
	case peerClosed(info.State) && info.Unacked > 0:
		return count + uint64(info.Segs_in-(info.Segs_out-info.Data_segs_out))
	default:
		return count + uint64(info.Segs_in-info.Data_segs_in)
	}
}

// What of TCP_INFO shows that something has no answer, by linux/net/ipv4/tcp_timer.c and
// tcp_input.c:
//
// tcpi_probes counts window probes (tcp_send_probe0); any ack zeroes it (tcp_ack). Nothing is in
// flight then, for bytes in flight are their own probes. tcpi_backoff counts them, too, up to 15.
//
// tcpi_last_ack_recv is the time since any ack that our window let in, an answer to a probe too.
// tcpi_last_data_sent is the time since data was last sent, or sent again. So bytes in flight that
// were sent again have no answer if the data is the later one.
//
// The other way round shows nothing. An ack comes with all that the peer sends, also with what it
// sends again since it has no ack of ours. Our window lets that in if its end is that of all that
// was received (tcp_sequence); it then counts as an ack, and zeroes tcpi_probes, each time. An
// answer to what was sent again acknowledges bytes, or is a segment without data (tcp_send_dupack):
// tcpi_segs_in without tcpi_data_segs_in. That counts window probes of the peer, too, but our window
// lets none in, and it has nothing in flight then which it could send again.
//
// A FIN that the peer sends again is a segment without data, too, and is let in. Our TCP acks each,
// and with bytes in flight sends nothing else without data. So once the peer has closed, the segments
// that came less those acks are the answers. With no bytes in flight our window probes have no data
// either, and the peer's FIN counts as an answer to one.
//
// A FIN alone is no data: it leaves tcpi_last_data_sent as it is (__tcp_transmit_skb). Its answer
// acknowledges it.
//
// Both times are in ms, of a clock of up to 10 ms: an answer within that is one, for the sent
// bytes are then not later. A dead path is not mistaken for it, as the kernel waits for 200 ms
// at least before it sends again.

// sentAgain reports whether bytes in flight were sent again. tcpi_retransmits counts that since the
// peer last acknowledged new bytes, but not while it has shrunk its window to 0 behind bytes in
// flight: tcp_retransmit_timer then only backs off. tcpi_backoff alone shows nothing, for window
// probes that were answered leave it as it is.
func sentAgain(info *unix.TCPInfo) bool {
	return info.Retransmits > 0 || info.Backoff > 0 && info.Unacked > 0
}

// closeSent reports whether our FIN is sent and not acknowledged, linux/include/net/tcp_states.h.
func closeSent(state uint8) bool {
	const finWait1, lastAck, closing = 4, 9, 11
	return state == finWait1 || state == lastAck || state == closing
}

// peerClosed reports whether the peer's FIN has come.
func peerClosed(state uint8) bool {
	const closeWait, lastAck, closing = 8, 9, 11
	return state == closeWait || state == lastAck || state == closing
}
