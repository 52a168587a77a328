// waves URL: three waves of twenty calls at once with Go's http.Get, each wave after the last.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

func call(url string, done *sync.WaitGroup) {
	defer done.Done()
	answer, err := http.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err != nil {
		log.Fatal(err)
	}
}

func main() {
	for wave := 0; wave < 3; wave++ {
		var done sync.WaitGroup
		done.Add(20)
		for i := 0; i < 20; i++ {
			go call(os.Args[1], &done)
		}
		done.Wait()
	}
}
