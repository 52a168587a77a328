// The API of the incident on a real fasthttp: Server.Concurrency slots, a latency, and the
// same gauges as `weir origin --admin` (schema weir.origin/1), counted where connections are
// accepted, so that who holds the cap is judged by the server.
//
//	--listen ADDR        where to listen, 10.0.0.1:8080
//	--admin ADDR         gauges as JSON: unix:PATH or host:port; POST /set?latency=DIST changes it
//	--limit N            Server.Concurrency
//	--latency DIST       50ms, uniform(3s, 5s), mix(95%: 50ms, 5%: 3s), turns(50ms, 50ms, 4s)
//	--body SIZE          size of the answer, 3B
//	--seed N             of the latency's draws
//	--cert FILE          speak TLS, with this certificate
//	--key FILE           and this key, in PEM form
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// draw gives the latency of the n-th call that was let in.
type draw func(r *rand.Rand, n uint64) time.Duration

func parseDraw(text string) (draw, error) {
	text = strings.TrimSpace(text)
	name, rest, called := strings.Cut(text, "(")
	if !called {
		d, err := time.ParseDuration(text)
		return func(*rand.Rand, uint64) time.Duration { return d }, err
	}
	if !strings.HasSuffix(rest, ")") {
		return nil, fmt.Errorf("'%s' lacks its closing bracket", text)
	}
	args := splitTop(strings.TrimSuffix(rest, ")"))
	switch {
	case name == "uniform" && len(args) == 2:
		return parseUniform(args)
	case name == "mix" && len(args) > 0:
		return parseMix(args)
	case name == "turns" && len(args) > 0:
		return parseTurns(args)
	}
	return nil, fmt.Errorf("'%s': known are 50ms, uniform(A, B), mix(P%%: DIST, ...) and turns(DIST, ...)", text)
}

// splitTop splits at the commas outside brackets.
func splitTop(text string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, text[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, text[from:])
}

func parseUniform(args []string) (draw, error) {
	low, err := time.ParseDuration(strings.TrimSpace(args[0]))
	if err != nil {
		return nil, err
	}
	high, err := time.ParseDuration(strings.TrimSpace(args[1]))
	if err != nil || high < low {
		return nil, fmt.Errorf("uniform(%s, %s): the second must not be below the first", args[0], args[1])
	}
	return func(r *rand.Rand, _ uint64) time.Duration {
		return low + time.Duration(r.Float64()*float64(high-low))
	}, nil
}

func parseMix(args []string) (draw, error) {
	shares := make([]float64, len(args))
	draws := make([]draw, len(args))
	sum := 0.0
	for i, arg := range args {
		share, dist, ok := strings.Cut(arg, ":")
		share = strings.TrimSpace(share)
		value, err := strconv.ParseFloat(strings.TrimSuffix(share, "%"), 64)
		if !ok || err != nil || !strings.HasSuffix(share, "%") {
			return nil, fmt.Errorf("'%s' in a mix: write 'P%%: DIST'", arg)
		}
		if draws[i], err = parseDraw(dist); err != nil {
			return nil, err
		}
		shares[i] = value / 100
		sum += shares[i]
	}
	if sum < 0.999 || sum > 1.001 {
		return nil, fmt.Errorf("the shares of the mix add up to %.1f%%, not 100%%", sum*100)
	}
	return func(r *rand.Rand, n uint64) time.Duration {
		u := r.Float64()
		for i, share := range shares {
			if u < share {
				return draws[i](r, n)
			}
			u -= share
		}
		return draws[len(draws)-1](r, n)
	}, nil
}

func parseTurns(args []string) (draw, error) {
	draws := make([]draw, len(args))
	for i, arg := range args {
		var err error
		if draws[i], err = parseDraw(arg); err != nil {
			return nil, err
		}
	}
	return func(r *rand.Rand, n uint64) time.Duration {
		turns := uint64(len(draws))
		return draws[n%turns](r, n/turns)
	}, nil
}

// latencies is what a handler's time is drawn from; it may be changed while calls run.
type latencies struct {
	mu     sync.Mutex
	text   string
	draw   draw
	source *rand.Rand
	calls  uint64
}

func (l *latencies) set(text string) error {
	d, err := parseDraw(text)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.text, l.draw = text, d
	l.mu.Unlock()
	return nil
}

func (l *latencies) next() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	return l.draw(l.source, l.calls-1)
}

func (l *latencies) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// gauges counts connections as they are accepted, read, refused and closed.
type gauges struct {
	accepted, refused, requests, answered uint64
	used, peak, running, over             int64
	limit                                 int64
	mu                                    sync.Mutex
	open                                  map[*slotConn]struct{}
}

// slotConn is one accepted connection. fasthttp reads from one it serves, and writes to one
// it refuses without ever reading: that tells a slot from a refusal.
type slotConn struct {
	net.Conn
	g     *gauges
	state int32 // 0 fresh, 1 holds a slot, 2 refused, 3 closed
	busy  int32
}

func (c *slotConn) Read(b []byte) (int, error) {
	if atomic.CompareAndSwapInt32(&c.state, 0, 1) {
		used := atomic.AddInt64(&c.g.used, 1)
		for peak := atomic.LoadInt64(&c.g.peak); used > peak; peak = atomic.LoadInt64(&c.g.peak) {
			if atomic.CompareAndSwapInt64(&c.g.peak, peak, used) {
				break
			}
		}
		if used > c.g.limit {
			atomic.AddInt64(&c.g.over, 1)
		}
	}
	return c.Conn.Read(b)
}

func (c *slotConn) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("HTTP/1.1 503")) && atomic.CompareAndSwapInt32(&c.state, 0, 2) {
		atomic.AddUint64(&c.g.refused, 1)
	}
	return c.Conn.Write(b)
}

func (c *slotConn) Close() error {
	if atomic.SwapInt32(&c.state, 3) == 1 {
		atomic.AddInt64(&c.g.used, -1)
	}
	c.g.mu.Lock()
	delete(c.g.open, c)
	c.g.mu.Unlock()
	return c.Conn.Close()
}

// leftAlone tells whether the caller has hung up (the kernel knows; fasthttp does not look).
func (c *slotConn) leftAlone() bool {
	const tcpInfo, closeWait = 11, 8
	conn := c.Conn
	if under, ok := conn.(*tls.Conn); ok {
		conn = under.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	var info [8]byte
	size := uint32(len(info))
	_ = raw.Control(func(fd uintptr) {
		_, _, _ = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, tcpInfo,
			uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	})
	return info[0] == closeWait
}

type listener struct {
	net.Listener
	g *gauges
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	atomic.AddUint64(&l.g.accepted, 1)
	c := &slotConn{Conn: conn, g: l.g}
	l.g.mu.Lock()
	l.g.open[c] = struct{}{}
	l.g.mu.Unlock()
	return c, nil
}

func (g *gauges) report(latency string, since time.Time) map[string]interface{} {
	abandoned := 0
	g.mu.Lock()
	for c := range g.open {
		if atomic.LoadInt32(&c.busy) == 1 && c.leftAlone() {
			abandoned++
		}
	}
	g.mu.Unlock()
	used, running := atomic.LoadInt64(&g.used), atomic.LoadInt64(&g.running)
	idle := used - running
	if idle < 0 {
		idle = 0
	}
	if int64(abandoned) > running {
		abandoned = int(running)
	}
	return map[string]interface{}{
		"schema": "weir.origin/1", "pid": os.Getpid(),
		"uptime_ms": float64(time.Since(since).Microseconds()) / 1000,
		"limit":     g.limit, "latency": latency, "full": "fasthttp", "hangup": "never",
		"workers": nil, "queue": 0,
		"slots": map[string]interface{}{
			"used": used, "peak": atomic.LoadInt64(&g.peak), "idle": idle,
			"running": running - int64(abandoned), "abandoned": abandoned,
			"over": atomic.LoadInt64(&g.over),
		},
		"accepted": atomic.LoadUint64(&g.accepted), "refused": atomic.LoadUint64(&g.refused),
		"requests": atomic.LoadUint64(&g.requests), "answered": atomic.LoadUint64(&g.answered),
		"hangups": nil, // not counted: fasthttp does not notice them
	}
}

func (g *gauges) handler(latency *latencies, body []byte) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		c, _ := ctx.Conn().(*slotConn)
		if c != nil {
			atomic.StoreInt32(&c.busy, 1)
			defer atomic.StoreInt32(&c.busy, 0)
		}
		atomic.AddUint64(&g.requests, 1)
		atomic.AddInt64(&g.running, 1)
		time.Sleep(latency.next())
		_, _ = ctx.Write(body)
		atomic.AddInt64(&g.running, -1)
		atomic.AddUint64(&g.answered, 1)
	}
}

func listen(at string) (net.Listener, error) {
	if path := strings.TrimPrefix(at, "unix:"); path != at {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp4", at)
}

// listenTLS is listen, with TLS when there is a certificate. fasthttp sees what is inside.
func listenTLS(at, cert, key string) (net.Listener, error) {
	ln, err := listen(at)
	if err != nil || cert == "" {
		return ln, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{pair}}), err
}

func serveAdmin(at string, latency *latencies, g *gauges) error {
	if at == "" {
		return nil
	}
	ln, err := listen(at)
	if err != nil {
		return err
	}
	began := time.Now()
	show := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if err := latency.set(r.URL.Query().Get("latency")); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(g.report(latency.said(), began))
	}
	go func() { log.Fatal(http.Serve(ln, http.HandlerFunc(show))) }()
	return nil
}

func run() error {
	at := flag.String("listen", "", "where to listen")
	admin := flag.String("admin", "", "gauges as JSON")
	limit := flag.Int("limit", fasthttp.DefaultConcurrency, "Server.Concurrency")
	latency := flag.String("latency", "0ms", "distribution of the handler's time")
	size := flag.String("body", "3B", "size of the answer")
	seed := flag.Int64("seed", 1, "of the latency's draws")
	cert := flag.String("cert", "", "certificate, in PEM form")
	key := flag.String("key", "", "its key")
	flag.Parse()
	times := &latencies{source: rand.New(rand.NewSource(*seed))}
	if err := times.set(*latency); err != nil {
		return err
	}
	length, err := strconv.Atoi(strings.TrimSuffix(*size, "B"))
	if err != nil || length < 0 {
		return errors.New("--body: write a number of bytes, 300B")
	}
	g := &gauges{limit: int64(*limit), open: map[*slotConn]struct{}{}}
	if err := serveAdmin(*admin, times, g); err != nil {
		return err
	}
	ln, err := listenTLS(*at, *cert, *key)
	if err != nil {
		return err
	}
	server := &fasthttp.Server{
		Handler:     g.handler(times, bytes.Repeat([]byte("x"), length)),
		Concurrency: *limit,
		Logger:      log.New(os.Stderr, "", 0),
	}
	fmt.Fprintf(os.Stderr, "fasthttp: listening on %s, %d slots\n", ln.Addr(), *limit)
	return server.Serve(&listener{ln, g})
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
