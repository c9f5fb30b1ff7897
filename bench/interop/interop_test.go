package interop

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"hash/crc32"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

var (
	interop = flag.Bool("interop", false, "run against python3-websockets, which must be there")
	python  = flag.String("python", "/usr/bin/python3", "the Python that has websockets")
)

const count = 4000 // messages, as in server.py

// report is what the server says at the end.
type report struct {
	Port                                                        int
	Acks, Doubled, Unknown, Odd, Bytes, Fragmented, Pongs, Code int
}

// TestPythonWebsockets: 4,000 messages of up to 300 KiB, a third of them fragmented, with
// pings between, plain and over TLS: all are in the file, each is acknowledged once, the
// close is clean.
func TestPythonWebsockets(t *testing.T) {
	if !*interop {
		t.Skip("needs python3-websockets; make interop runs it")
	}
	feedgate := filepath.Join(t.TempDir(), "feedgate")
	if out, err := exec.Command("go", "build", "-o", feedgate, "feedgate/cmd/feedgate").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("ws", func(t *testing.T) { exchange(t, feedgate, "ws") })
	t.Run("wss", func(t *testing.T) {
		ca, cert, key := certificates(t)
		exchange(t, feedgate, "wss", ca, cert, key)
	})
}

// exchange runs the server and the gateway to their ends. files are the CA that the
// gateway trusts, the server's certificate and its key.
func exchange(t *testing.T, feedgate, scheme string, files ...string) {
	server := exec.Command(*python, append([]string{"server.py"}, files[min(len(files), 1):]...)...)
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	server.Stderr = &stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	said := json.NewDecoder(stdout)
	var r report
	if err := said.Decode(&r); err != nil {
		_ = server.Wait()
		t.Fatalf("the server does not start: %v\n%s", err, stderr.Bytes())
	}
	path := filepath.Join(t.TempDir(), "out")
	args := []string{"run", fmt.Sprintf("%s://127.0.0.1:%d/feed?x=1", scheme, r.Port), "--ack-template=A{n}",
		"--sink=file:" + path, "--exit-on-close", "--admin=", "--workers=2"}
	if len(files) > 0 {
		args = append(args, "--tls-ca="+files[0])
	}
	if out, err := exec.Command(feedgate, args...).CombinedOutput(); err != nil {
		_ = server.Process.Kill()
		_ = server.Wait()
		t.Fatalf("feedgate: %v\n%s\nserver: %s", err, out, stderr.Bytes())
	}
	if err := said.Decode(&r); err != nil {
		t.Errorf("no report: %v", err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("server: %v\n%s", err, stderr.Bytes())
	}
	if r.Acks != count || r.Doubled+r.Unknown+r.Odd > 0 || r.Code != 1000 {
		t.Errorf("the server saw %+v", r)
	}
	checkFile(t, path)
	t.Logf("%d messages, %d bytes, %d of them fragmented, %d acks, %d pongs, close code %d", count, r.Bytes, r.Fragmented, r.Acks, r.Pongs, r.Code)
}

// checkFile wants every message there once, with its bytes.
func checkFile(t *testing.T, path string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := make([]int, count)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		parts := bytes.SplitN(lines.Bytes(), []byte(":"), 3)
		index, err := strconv.Atoi(string(parts[0]))
		if err != nil || index < 0 || index >= count || len(parts) != 3 {
			t.Fatalf("a line of %d bytes is no message", len(lines.Bytes()))
		}
		if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(parts[2])); sum != string(parts[1]) {
			t.Errorf("message %d: checksum %s, want %s", index, sum, parts[1])
		}
		seen[index]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for index, n := range seen {
		if n != 1 {
			t.Errorf("message %d is there %d times", index, n)
		}
	}
}

// certificates makes the files of a private CA, and of a certificate of its for
// 127.0.0.1 with the key.
func certificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "private CA"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, rootKey := sign(t, root, root, nil)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	leafDER, leafKey := sign(t, leaf, root, rootKey)
	secret, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	return file("ca.pem", "CERTIFICATE", rootDER), file("cert.pem", "CERTIFICATE", leafDER), file("key.pem", "EC PRIVATE KEY", secret)
}

// sign makes a certificate with a key of its own, which signs it when there is no other.
func sign(t *testing.T, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}
