// Kafkademo shows the sink kafka:// without a cluster: it starts a feed and a fake cluster, runs feedgate
// between them, kills it once in the middle, and reads the topic back. make demo-kafka runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"feedgate/cmd/feedgate/feedserver"
)

const (
	topic      = "orders"
	partitions = 4
	size       = 64 // bytes of a message
	patience   = time.Minute
)

func main() {
	binary := flag.String("feedgate", "feedgate", "path of feedgate")
	messages := flag.Int64("messages", 1_000_000, "messages to send")
	flag.Parse()
	if err := demo(os.Stdout, *binary, *messages); err != nil {
		fmt.Fprintln(os.Stderr, "kafkademo:", err)
		os.Exit(1)
	}
}

func demo(out io.Writer, binary string, messages int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return err
	}
	defer cluster.Close()
	feed, err := feedserver.New(feedserver.Config{Count: messages, Size: size, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := feed.Start(); err != nil {
		return err
	}
	defer feed.Close()

	dir, err := os.MkdirTemp("", "kafkademo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := []string{
		"run", "fg://" + feed.Addr().String(), "--sink=kafka://" + strings.Join(cluster.ListenAddrs(), ",") + "/" + topic,
		"--dispatch=key", "--key=bytes:0:4", "--state=" + filepath.Join(dir, "state"),
		"--exit-on-close", "--admin=", "--log-level=warn",
	}
	fmt.Fprintf(out, "A feed of %d messages, %d bytes each, and a Kafka topic with %d partitions, both in this process.\n\n    %s %s\n\n",
		messages, size, partitions, binary, strings.Join(args, " "))
	begun := time.Now()
	if err := killedOnce(ctx, binary, args, feed, uint64(messages/2)); err != nil {
		return err
	}
	fmt.Fprintf(out, "After %d acknowledgements, kill -9; the same command again.\n", feed.Report().Total.Acknowledged)
	if err := command(ctx, binary, args).Run(); err != nil {
		return fmt.Errorf("feedgate: %w", err)
	}
	report, err := feed.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "All acknowledged after %.1f s: %d, of which the topic has, read back:\n", time.Since(begun).Seconds(), report.Total.Acknowledged)
	stored, distinct, err := readBack(ctx, cluster)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "    messages       %9d\n    missing        %9d\n    stored twice   %9d  because of the kill: sent again, and recognizable by the header id\n",
		distinct, int(messages)-distinct, stored-distinct)
	if distinct != int(messages) || report.Total.Missing != 0 || report.Total.Early != 0 {
		return errors.New("messages are missing")
	}
	return nil
}

func command(ctx context.Context, binary string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// killedOnce runs the gateway until the feed has that many acknowledgements, then kills it.
func killedOnce(ctx context.Context, binary string, args []string, feed *feedserver.Server, acks uint64) error {
	cmd := command(ctx, binary, args)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for feed.Report().Total.Acknowledged < acks {
		select {
		case <-look.C:
		case err := <-ended:
			return fmt.Errorf("feedgate ended early: %w", err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		return err
	}
	<-ended
	return nil
}

// readBack reads the topic to its end. It returns the number of records, and of different ids.
func readBack(ctx context.Context, cluster *kfake.Cluster) (stored, distinct int, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	end := 0
	for p := range int32(partitions) {
		end += int(cluster.PartitionInfo(topic, p).HighWatermark)
	}
	ids := make(map[string]bool)
	for stored < end {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return 0, 0, err
		}
		fetched.EachRecord(func(r *kgo.Record) {
			stored++
			ids[string(r.Headers[0].Value)] = true
		})
	}
	return stored, len(ids), nil
}
