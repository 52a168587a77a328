// server [CERT KEY]: the API of tests/byteserver.py on Go's net/http; says its port.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

var gates sync.Map

func gate(id string) chan struct{} {
	made, _ := gates.LoadOrStore(id, make(chan struct{}))
	return made.(chan struct{})
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func last(r *http.Request) string {
	return r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
}

func serve(w http.ResponseWriter, r *http.Request) {
	switch strings.Split(r.URL.Path, "/")[1] {
	case "bytes":
		n, _ := strconv.Atoi(last(r))
		block := make([]byte, 251*4177)
		for i := range block {
			block[i] = byte(i % 251)
		}
		body := bytes.Repeat(block, n/len(block)+1)[:n]
		w.Header().Set("X-Sha256", sum(body))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.Write(body)
	case "echo":
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode(map[string]interface{}{"sha256": sum(body),
			"length": len(body), "chunked": len(r.TransferEncoding) > 0})
	case "stream":
		io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		<-gate(last(r))
		io.WriteString(w, "second\n")
	case "go":
		close(gate(last(r)))
		io.WriteString(w, "gone")
	case "none":
		w.WriteHeader(204)
	default:
		w.Header().Set("Location", "/bytes/9")
		w.WriteHeader(302)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: http.HandlerFunc(serve)}
	if len(os.Args) > 2 {
		log.Fatal(server.ServeTLS(listener, os.Args[1], os.Args[2]))
	}
	log.Fatal(server.Serve(listener))
}
