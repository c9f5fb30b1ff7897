package bench

import (
	"context"
	"errors"

	"feedgate/bench/baselines"
	"feedgate/gateway"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/tcp"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
	"feedgate/worker/sink/discard"
	"feedgate/worker/sink/file"
	httpsink "feedgate/worker/sink/http"
	"feedgate/worker/sink/kafka"
)

// sinks are those of subjects with a destination.
var sinks = sink.Registry{discard.Kind, file.Kind, httpsink.Kind, kafka.Kind}

// unacked is a protocol of the feed without acks: lines. What is measured with acks is not known then,
// and messages are counted by the client.
const unacked = "line"

// lines is --frame line.
var lines = tcp.Protocol{Flags: tcp.Flags{Frame: "line"}}

// passOn is the product with a sink, as feedgate run sets it up. It does no other work.
func passOn(protocol wire.Protocol) func(setup) baselines.Func {
	return func(with setup) baselines.Func {
		return func(ctx context.Context, addr string, workers int, _ func(msg []byte)) (baselines.Result, error) {
			cfg := gateway.Config{Protocol: protocol, Hosts: []string{addr}, Workers: workers, ExitOnClose: true}
			into := sink.Config{Log: silent}
			if with.key != nil {
				key, err := selector.Parse(with.key.selector)
				if err != nil {
					return baselines.Result{}, err
				}
				cfg.Dispatch, cfg.Key, into.Key = "key", with.key.selector, &key
			}
			return passOnTo(ctx, cfg, with.to, into)
		}
	}
}

func passOnTo(ctx context.Context, cfg gateway.Config, to string, into sink.Config) (res baselines.Result, err error) {
	target, err := sinks.Parse("--sink", to, nil)
	if err != nil {
		return res, err
	}
	out, err := sinks.Open(to, into)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if out.Start != nil {
		if err := out.Start(ctx, cfg.Workers); err != nil {
			return res, err
		}
	}
	cfg.Sink, cfg.SinkIsRemote, cfg.DataOnly = out, out.Remote, !target.UsesMeta
	gw, err := gateway.New(common(cfg))
	if err != nil {
		return res, err
	}
	return runToClose(ctx, gw)
}
