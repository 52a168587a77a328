// fast [CERT KEY]: the API of tests/byteserver.py on fasthttp; says its port.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
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

func sendBytes(ctx *fasthttp.RequestCtx, n int) {
	block := make([]byte, 251*4177)
	for i := range block {
		block[i] = byte(i % 251)
	}
	body := bytes.Repeat(block, n/len(block)+1)[:n]
	ctx.Response.Header.Set("X-Sha256", sum(body))
	ctx.SetBody(body)
}

func serve(ctx *fasthttp.RequestCtx) {
	path := strings.Split(string(ctx.Path()), "/")
	last := path[len(path)-1]
	switch path[1] {
	case "bytes":
		n, _ := strconv.Atoi(last)
		sendBytes(ctx, n)
	case "echo":
		body := ctx.PostBody()
		head := bytes.ToLower(ctx.Request.Header.RawHeaders())
		said, _ := json.Marshal(map[string]interface{}{"sha256": sum(body), "length": len(body),
			"chunked": bytes.Contains(head, []byte("transfer-encoding: chunked"))})
		ctx.SetBody(said)
	case "stream":
		ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
			w.WriteString("first\n")
			w.Flush()
			<-gate(last)
			w.WriteString("second\n")
		})
	case "go":
		close(gate(last))
		ctx.SetBodyString("gone")
	case "none":
		ctx.SetStatusCode(204)
	default:
		ctx.Response.Header.Set("Location", "/bytes/9")
		ctx.SetStatusCode(302)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if len(os.Args) > 2 {
		log.Fatal(fasthttp.ServeTLS(listener, os.Args[1], os.Args[2], serve))
	}
	log.Fatal(fasthttp.Serve(listener, serve))
}
