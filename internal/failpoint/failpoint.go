// Package failpoint names the places in the code where the suite of faults stops, kills
// or breaks a process: [Reach] marks one.
//
// It does nothing in the programs that users run: without the build tag "failpoints"
// Reach is empty and is inlined away. With it, SCHEMACAST_FAILPOINTS says what happens
// where, as points separated by commas or lines:
//
//	name[:n]=action
//
// The action is taken when the point is reached for the n-th time and, without a number,
// every time. SCHEMACAST_FAILPOINTS=@file reads the points from a file, which is looked
// at again whenever a point is reached: a test changes it while the process runs, and
// the counts begin anew with each change.
//
//	kill   SIGKILL to the own process
//	pause  SIGSTOP to the own process; SIGCONT lets it go on
//	hang   only the caller waits, for as long as the file names its point; for ever
//	       where there is no file
//	panic  the caller panics
//	tell   nothing happens
//
// Before each action a line is written to stderr, with the number of goroutines of the
// process:
//
//	failpoint run.claimed tell goroutines=41
//
// These are the points:
//
//	run.dequeued          a task came, its claim has not been tried
//	run.claimed           the claim is committed, the analysis has not begun
//	run.analysing         within the analysis, where a panic is the analyzer's
//	run.answered          the model answered, the answer is not stored
//	run.checkpointed      the answer is stored, and has not been looked at
//	run.committed         the result is committed, the task is not acknowledged
//	run.beating           in the goroutine of a claim's heartbeat
//	store.before-commit   the result is written and its transaction is open
//	broadcast.publishing  events are taken from the outbox and not sent
//	broadcast.published   events are sent, the outbox does not know it
//	enqueue.page-stored   a page of a backfill is committed, its tasks are not in Redis
//	enqueue.page-queued   its tasks are in Redis, the database does not know it
package failpoint
