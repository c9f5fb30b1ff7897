package fgcheck

// faults are those of a server. The zero value keeps every rule.
type faults struct {
	unresponsive   bool   // never answers
	garbage        string // is the answer to every connection
	welcomeNothing bool   // drops the connection after HELLO
	anyToken       bool   // accepts every token
	tokenCode      uint16 // of the BYE to a wrong token; 0: the right one
	early          bool   // sends a message before WELCOME
	twice          bool   // sends WELCOME twice
	badWelcome     string // WELCOME's payload
	namesless      bool   // the session has no name
	forgets        bool   // begins a new session on every connection
	refusesOld     bool   // refuses the name of every session
	byeFirst       bool   // sends all messages and BYE before it reads acks, which is no fault
	believes       bool   // resumes sessions that it does not know
	resumeHigh     bool   // WELCOME of a resumed session is one too high
	resumeLow      bool   // WELCOME of a resumed session is one too low
	skips          bool   // skips a message after a cut
	ignoreAck      bool   // ACKs with code 0 make nothing done
	ignoreAckTo    bool   // ACKTOs make nothing done
	cumulative     bool   // an ACK makes all messages before it done
	refusedAgain   bool   // sends refused messages again
	keepsAcks      bool   // keeps acks of messages that were not sent
	skipsAcked     bool   // does not send messages that were acknowledged before they were sent
	hangsUnsent    bool   // stops answering for good at an ack of a message that was not sent
	hangsToken     bool   // stops answering for good at a wrong token
	answersShort   bool   // handles frames that are too short
	trustAcks      bool   // takes acks of messages that were not sent
	trustHello     bool   // takes HELLO's seq for more than it is
	firstHigh      bool   // a session's first message is not WELCOME's
	swapped        bool   // swaps two messages
	gap            bool   // leaves out a number
	brokenParts    bool   // the parts of two messages mix
	partsAtEnd     bool   // BYE comes within a message
	big            bool   // sends a message over the limit
	pongZero       bool   // PONG has seq 0
	noPong         bool   // does not answer PING
	pongLate       bool   // PONG comes after the time allowed
	shortFrame     bool   // sends a frame with a length of 11
	hugeControl    bool   // sends PING with 1 MiB
	strangeOp      bool   // sends a frame of op 42
	flagged        bool   // sets an unknown flag in DATA
	anyFirst       bool   // takes any first frame for HELLO
	anyHello       bool   // does not decode HELLO
	closeFault     bool   // closes without BYE after a protocol error
	faultCode      uint16 // of the BYE to a bad frame; 0: the right one
	anyLength      bool   // ignores frames that are too short
	anyOp          bool   // ignores unknown ops
	anyFlags       bool   // ignores unknown flags
	endCode        uint16 // of the BYE at the end
	closeEnd       bool   // ends without BYE
	afterBye       bool   // sends a message after BYE
	neverClose     bool   // keeps the connection after BYE
	heartbeat      int    // heartbeat_ms; 0: 5000
	dies           bool   // stops listening when it refuses a bad frame
	noise          uint64 // seed of random frames and bytes after WELCOME; 0: none
	floodPings     bool   // sends PINGs without end
	floodParts     bool   // sends parts without end
	floodBytes     bool   // sends a frame of 4 GiB without end
}
