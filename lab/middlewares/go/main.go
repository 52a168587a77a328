// A middleware written with Go's defaults: for each call in, WEIR_GATHER calls out, side by
// side, through http.DefaultTransport. That one keeps two idle connections a host and no cap:
// whatever a burst opens beyond two is closed by us after its answer.
//
//	WEIR_LISTEN_HOST, WEIR_LISTEN_PORT   where callers come in
//	WEIR_UPSTREAMS                       base URLs of the API, by turns
//	WEIR_GATHER                          calls out per call in (3)
//	POOL                                 at most so many connections an address (none)
//	KEEP_ALIVE                           no: close each connection after its answer (yes)
//	IDLE                                 keep at most so many idle connections an address (2)
//	IDLE_MS                              close one that is idle for so long (90 s)
//	TIMEOUT_MS                           give up a call after so long and close it (none)
package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type answer struct {
	status int
	text   string
}

func env(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// number is 0, which means none, when the variable is empty.
func number(name string) int {
	n, err := strconv.Atoi(env(name))
	if err != nil && env(name) != "" {
		log.Fatalf("%s: '%s' is no number", name, env(name))
	}
	return n
}

func callOut(url string) answer {
	res, err := http.Get(url)
	if err != nil {
		return answer{0, err.Error()}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{0, err.Error()}
	}
	return answer{res.StatusCode, string(body)}
}

func main() {
	upstreams := strings.Split(env("WEIR_UPSTREAMS", "WEIR_UPSTREAM"), ",")
	gather, err := strconv.Atoi(env("WEIR_GATHER"))
	if err != nil || gather < 1 {
		gather = 3
	}
	if upstreams[0] == "" {
		log.Fatal("WEIR_UPSTREAMS is empty: give the base URL of the API")
	}
	if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport.MaxConnsPerHost = number("POOL")
		transport.MaxIdleConnsPerHost = number("IDLE")
		transport.DisableKeepAlives = env("KEEP_ALIVE") == "no"
		if env("IDLE_MS") != "" {
			transport.IdleConnTimeout = time.Duration(number("IDLE_MS")) * time.Millisecond
		}
	}
	http.DefaultClient.Timeout = time.Duration(number("TIMEOUT_MS")) * time.Millisecond
	var turn uint64
	handler := func(w http.ResponseWriter, r *http.Request) {
		answers := make(chan answer, gather)
		for i := 0; i < gather; i++ {
			n := atomic.AddUint64(&turn, 1)
			base := strings.TrimSuffix(upstreams[n%uint64(len(upstreams))], "/")
			go func() { answers <- callOut(base + r.URL.RequestURI()) }()
		}
		texts := []string{}
		bad := ""
		failed := false
		for i := 0; i < gather; i++ {
			a := <-answers
			if a.status != http.StatusOK {
				failed, bad = true, a.text
			}
			texts = append(texts, a.text)
		}
		if failed {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, bad)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(texts)
	}
	at := net.JoinHostPort(env("WEIR_LISTEN_HOST"), env("WEIR_LISTEN_PORT", "PORT"))
	log.Fatal(http.ListenAndServe(at, http.HandlerFunc(handler)))
}
