// client URL: what a program with Go's net/http does, through it.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

const size = 20 << 20

type seen struct {
	Length  int
	Sha256  string
	Chunked bool
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func expect(truth bool, what string) {
	if !truth {
		log.Fatal(what)
	}
}

func get(url string) (*http.Response, []byte) {
	answer, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	return answer, body
}

func upload(url string, body []byte, chunked bool) {
	request, _ := http.NewRequest("POST", url+"/echo", bytes.NewReader(body))
	if chunked {
		request.ContentLength = -1
	}
	request.Header.Set("Expect", "100-continue")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var s seen
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		log.Fatal(err)
	}
	expect(s.Length == len(body) && s.Sha256 == sum(body), "upload differs")
	expect(s.Chunked == chunked, "framed otherwise")
}

func main() {
	url := os.Args[1]
	answer, body := get(fmt.Sprintf("%s/bytes/%d", url, size))
	expect(len(body) == size && answer.Header.Get("X-Sha256") == sum(body), "download differs")
	upload(url, body, false)
	upload(url, body, true)
	var all sync.WaitGroup
	for i := 0; i < 200; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			_, b := get(fmt.Sprintf("%s/bytes/%d", url, i))
			expect(len(b) == i, "many at once")
		}(i)
	}
	all.Wait()
	head, err := http.Head(url + "/bytes/77")
	expect(err == nil && head.ContentLength == 77, "HEAD")
	fmt.Println("ok")
}
