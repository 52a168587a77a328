// matrix URL CA [PROXY]: each job of the matrix by Go's net/http; a line for each that went well.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
)

var base string
var client *http.Client
var body = make([]byte, 1<<20)

type seen struct {
	Length  int
	Sha256  string
	Chunked bool
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func expect(truth bool, what string) {
	if !truth {
		log.Fatal(what)
	}
}

func ask(method, path string) (*http.Response, []byte) {
	request, err := http.NewRequest(method, base+path, nil)
	must(err)
	answer, err := client.Do(request)
	must(err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	must(err)
	return answer, got
}

func checked(path string, n int) {
	answer, got := ask("GET", path)
	expect(answer.StatusCode == 200 && len(got) == n && answer.Header.Get("X-Sha256") == sum(got), path)
}

func upload(chunked bool) {
	request, _ := http.NewRequest("POST", base+"/echo", bytes.NewReader(body))
	if chunked {
		request.ContentLength = -1
	}
	answer, err := client.Do(request)
	must(err)
	defer answer.Body.Close()
	var s seen
	must(json.NewDecoder(answer.Body).Decode(&s))
	expect(s.Length == len(body) && s.Sha256 == sum(body) && s.Chunked == chunked, "upload")
}

func stream() {
	id := fmt.Sprint(os.Getpid())
	answer, err := client.Get(base + "/stream/" + id)
	must(err)
	defer answer.Body.Close()
	first := make([]byte, 6)
	_, err = io.ReadFull(answer.Body, first)
	must(err)
	expect(string(first) == "first\n", "stream")
	ask("GET", "/go/"+id)
	rest, err := io.ReadAll(answer.Body)
	must(err)
	expect(string(rest) == "second\n", "stream")
}

func reuse() {
	opened := 0
	for i := 0; i < 20; i++ {
		request, _ := http.NewRequest("GET", fmt.Sprintf("%s/bytes/%d", base, i*99), nil)
		trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
			if !c.Reused {
				opened++
			}
		}}
		answer, err := client.Do(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
		must(err)
		got, err := io.ReadAll(answer.Body)
		must(err)
		answer.Body.Close()
		expect(len(got) == i*99, "reuse")
	}
	expect(opened == 0, "the connection was not kept")
}

func main() {
	base = os.Args[1]
	ca, err := os.ReadFile(os.Args[2])
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	if len(os.Args) > 3 {
		proxy, err := url.Parse(os.Args[3])
		must(err)
		transport.Proxy = http.ProxyURL(proxy)
	}
	client = &http.Client{Transport: transport}
	_, err = rand.Read(body)
	must(err)
	jobs := []struct {
		name string
		do   func()
	}{
		{"get", func() { checked("/bytes/5000", 5000) }},
		{"large", func() { checked(fmt.Sprintf("/bytes/%d", 8<<20), 8<<20) }},
		{"post", func() { upload(false) }},
		{"chunked", func() { upload(true) }},
		{"stream", stream},
		{"reuse", reuse},
		{"head", func() {
			answer, got := ask("HEAD", "/bytes/77")
			expect(answer.ContentLength == 77 && len(got) == 0, "HEAD")
		}},
		{"none", func() {
			answer, got := ask("GET", "/none")
			expect(answer.StatusCode == 204 && len(got) == 0, "204")
		}},
		{"moved", func() { checked("/moved", 9) }},
	}
	for _, job := range jobs {
		job.do()
		fmt.Println(job.name)
	}
}
