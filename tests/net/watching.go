// watching: Go's net/http behind a limit of connections, with handlers that end when their
// caller hangs up. Options and gauges are those of lab/servers/fasthttp that the tests need.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const refusal = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 73\r\n\r\n" +
	"The connection cannot be served because Server.Concurrency limit exceeded"

type gauges struct {
	sync.Mutex
	limit, used, peak, refused, accepted, hangups int
}

// limited refuses as fasthttp does, and counts where connections are accepted.
type limited struct {
	net.Listener
	g *gauges
}

type counted struct {
	net.Conn
	g    *gauges
	once sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.g.Lock()
		c.g.used--
		c.g.Unlock()
	})
	return err
}

func (l limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.g.Lock()
		l.g.accepted++
		full := l.g.used >= l.g.limit
		if full {
			l.g.refused++
		} else if l.g.used++; l.g.used > l.g.peak {
			l.g.peak = l.g.used
		}
		l.g.Unlock()
		if !full {
			return &counted{Conn: c, g: l.g}, nil
		}
		c.Write([]byte(refusal))
		c.Close()
	}
}

func (g *gauges) status(w http.ResponseWriter, r *http.Request) {
	g.Lock()
	defer g.Unlock()
	json.NewEncoder(w).Encode(map[string]interface{}{"refused": g.refused, "accepted": g.accepted,
		"hangups": g.hangups, "slots": map[string]int{"used": g.used, "peak": g.peak}})
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "")
	admin := flag.String("admin", "", "")
	latency := flag.String("latency", "", "the one that the test asks for")
	g := &gauges{}
	flag.IntVar(&g.limit, "limit", 20, "")
	flag.Parse()
	if *latency != "mix(70%: 5ms, 30%: uniform(700ms, 900ms))" {
		log.Fatalf("this server has one latency, not '%s'", *latency)
	}
	gauge, err := net.Listen("unix", strings.TrimPrefix(*admin, "unix:"))
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(gauge, http.HandlerFunc(g.status))
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "watching: listening on %s\n", l.Addr())
	http.Serve(limited{l, g}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		took := 5 * time.Millisecond
		if rand.Float64() < 0.3 {
			took = 700*time.Millisecond + time.Duration(rand.Int63n(int64(200*time.Millisecond)))
		}
		select {
		case <-time.After(took):
			w.Write([]byte("ok\n"))
		case <-r.Context().Done():
			g.Lock()
			g.hangups++
			g.Unlock()
		}
	}))
}
