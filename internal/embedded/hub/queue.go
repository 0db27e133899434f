package hub

import "sync"

const (
	// maxQueuedBytes is what one client may lag behind: several of the largest batches.
	// There is no limit on their number, since a backlog that is published at once is
	// thousands of small frames within milliseconds.
	maxQueuedBytes = 4 << 20
	// frameOverhead counts what a frame costs beside its bytes.
	frameOverhead = 64
)

// queue holds the frames that wait to be written. Frames are shared by connections.
type queue struct {
	ready chan struct{} // has a value while there are frames

	mu     sync.Mutex
	frames [][]byte
	size   int
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// push appends a frame, or reports false when there is no room.
func (q *queue) push(frame []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := q.size + len(frame) + frameOverhead
	if size > maxQueuedBytes {
		return false
	}
	q.size = size
	q.frames = append(q.frames, frame)
	q.signal()
	return true
}

// pop takes the oldest frame, if there is one.
func (q *queue) pop() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		return nil, false
	}
	frame := q.frames[0]
	q.frames[0] = nil // the array may live on
	q.frames = q.frames[1:]
	q.size -= len(frame) + frameOverhead
	if len(q.frames) > 0 {
		q.signal()
	}
	return frame, true
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
