package fgcheck

// rule is the name of a rule of FG/1 that a server must keep. Names are part of the output and
// never change.
type rule string

// Rules, in the order of the output.
const (
	frameLength rule = "length"
	frameOp     rule = "op"
	frameFlags  rule = "flags"

	login        rule = "login"
	welcomeFirst rule = "welcome"
	welcomeJSON  rule = "welcome-json"
	heartbeat    rule = "heartbeat"
	ackModes     rule = "ack-modes"
	badToken     rule = "token"

	firstSeq   rule = "first-seq"
	order      rule = "order"
	parts      rule = "parts"
	maxMessage rule = "max-message"

	ackEach    rule = "ack-each"
	ackTo      rule = "ack-to"
	ackOne     rule = "ack-one"
	ackRefused rule = "ack-refused"
	ackUnsent  rule = "ack-unsent"

	resumeSeq  rule = "resume-seq"
	resend     rule = "resend"
	helloSeq   rule = "hello-seq"
	newSession rule = "new-session"

	ping rule = "ping"

	refuseFirst  rule = "refuse-first"
	refuseHello  rule = "refuse-hello"
	refuseLength rule = "refuse-length"
	refuseOp     rule = "refuse-op"
	refuseFlags  rule = "refuse-flags"

	bye      rule = "bye"
	byeLast  rule = "bye-last"
	byeClose rule = "bye-close"
)

// ruleText describes a rule.
type ruleText struct {
	name     rule
	sentence string
	occasion string // what a server must do so that the rule can be tested
}

// rules are all rules, in the order of the output. docs/fg1-servers.md has the same table.
var rules = []ruleText{
	{frameLength, "the length field of a frame is 12 plus its payload, of up to 64 KiB except in DATA", "send a frame"},
	{frameOp, "the server sends only WELCOME, DATA, PING, PONG and BYE", "send a frame"},
	{frameFlags, "no flag is set, except MORE in DATA", "send a frame"},

	{login, "HELLO is answered with WELCOME", "accept a login"},
	{welcomeFirst, "WELCOME is sent once, and no message before it", "accept a login"},
	{welcomeJSON, "WELCOME's payload is empty or a JSON object whose fields have the right types", "accept a login"},
	{heartbeat, "heartbeat_ms is from 100 to 3600000", "set heartbeat_ms in WELCOME"},
	{ackModes, "acks contains each, range or both", "set acks in WELCOME"},
	{badToken, "a wrong token is refused with BYE 4", "require a token, and give it to this check"},

	{firstSeq, "the first message has WELCOME's seq", "send messages"},
	{order, "the next message has the next seq", "send two messages before their acks"},
	{parts, "the parts of a message follow each other, and the last is without MORE", "send a message in parts"},
	{maxMessage, "a message is no longer than --max-message", "send messages"},

	{ackEach, "an ACK makes its message done: it is not sent again", "name the session, and offer each"},
	{ackTo, "an ACKTO makes all messages up to its seq done", "name the session, and offer range"},
	{ackOne, "an ACK makes no other message done", "name the session, and send two messages before their acks"},
	{ackRefused, "an ACK with a code other than 0 makes its message done, too", "name the session, and send messages"},
	{ackUnsent, "acks of messages that were not sent make none done", "name the session, and send messages"},

	{resumeSeq, "a resumed session continues at the first message that is not done", "name the session, and send messages"},
	{resend, "a resumed session sends every message again from there on", "name the session, and send messages"},
	{helloSeq, "HELLO's seq makes done at most the messages up to it", "name the session, and send messages"},
	{newSession, "a session that the server does not know is not resumed", "accept a login"},

	{ping, "PING is answered with a PONG with its seq at once", "send BYE after the acks"},

	{refuseFirst, "a first frame other than HELLO is refused with BYE 5 or 2", "accept connections"},
	{refuseHello, "a HELLO that is not JSON is refused with BYE 2 or 5", "accept connections"},
	{refuseLength, "a frame with a length under 12 is refused with BYE 5", "accept a login"},
	{refuseOp, "an unknown op is refused with BYE 5", "accept a login"},
	{refuseFlags, "an unknown flag is refused with BYE 5", "accept a login"},

	{bye, "the server ends a session with BYE 0 or 6", "end after a limited number of messages"},
	{byeLast, "no message follows BYE", "send BYE"},
	{byeClose, "after the BYE of the client, the server closes the connection", "accept a login"},
}
