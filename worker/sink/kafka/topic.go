package kafka

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"feedgate/gateway/wire/template"
	"feedgate/worker"
)

// topicName is the TOPIC of a URL: a name, or a template that makes one of each message.
type topicName struct {
	fixed string             // empty: template
	made  *template.Template // nil: fixed
}

// parseTopic parses the path of a URL.
func parseTopic(path string) (topicName, error) {
	text, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	switch {
	case err != nil:
		return topicName{}, errors.New("topic: a % begins the two hexadecimal digits of a byte, and itself is written %25")
	case text == "":
		return topicName{}, errors.New("want a topic, as in kafka://broker:9092/orders")
	case !strings.ContainsAny(text, `{\`):
		if !legalTopic(text) {
			return topicName{}, fmt.Errorf("topic %q: want up to %d letters, digits, dots, underscores and hyphens", text, maxTopic)
		}
		return topicName{fixed: text}, nil
	}
	made, err := template.Parse(text, template.Output)
	if err != nil {
		return topicName{}, fmt.Errorf("topic: %w", err)
	}
	return topicName{made: made}, nil
}

// appendTo appends the topic of a message to dst. It may be no legal name.
func (t *topicName) appendTo(dst []byte, m worker.Message) []byte {
	if t.made == nil {
		return append(dst, t.fixed...)
	}
	return t.made.Append(dst, m, 0)
}

// maxTopic limits the name of a topic, in bytes (org.apache.kafka.common.internals.Topic).
const maxTopic = 249

// legalTopic reports whether Kafka accepts the name of a topic.
func legalTopic[T string | []byte](name T) bool {
	if len(name) == 0 || len(name) > maxTopic || string(name) == "." || string(name) == ".." {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
