package blanks

import "bajigong/internal/fail"

// JobState is how far the printing of many certificates has come. A pair that is
// not in the table is refused as a conflict.
//
//	state     | page    | lack    | finish | cancel
//	----------+---------+---------+--------+----------
//	running   | running | waiting | done   | cancelled
//	waiting   | running | waiting | done   | cancelled
//	done      | -       | -       | -      | -
//	cancelled | -       | -       | -      | -
//
// page, lack and finish are the register's own work; waiting is for more blanks
// 待领用. What was assigned before a cancellation stays printed until it is spoiled.
type JobState string

// The states of a job.
const (
	JobRunning   JobState = "running"
	JobWaiting   JobState = "waiting"
	JobDone      JobState = "done"
	JobCancelled JobState = "cancelled"
)

// JobStates lists every state of a job.
func JobStates() []JobState { return []JobState{JobRunning, JobWaiting, JobDone, JobCancelled} }

// Ended reports whether nothing more will happen.
func (s JobState) Ended() bool { return s == JobDone || s == JobCancelled }

var jobWords = map[JobState][2]string{
	JobRunning: {"办理中", "running"}, JobWaiting: {"空白证书不足，待领用", "waiting for blanks"}, JobDone: {"已完成", "done"}, JobCancelled: {"已取消", "cancelled"},
}

// Words is the state as officials say it.
func (s JobState) Words() (zh, en string) { w := jobWords[s]; return w[0], w[1] }

// JobAct is what moves a job on.
type JobAct string

// The acts.
const (
	JobPage   JobAct = "page"
	JobLack   JobAct = "lack"
	JobFinish JobAct = "finish"
	JobCancel JobAct = "cancel"
)

// JobActs lists every act.
func JobActs() []JobAct { return []JobAct{JobPage, JobLack, JobFinish, JobCancel} }

var jobNext = map[JobState]map[JobAct]JobState{
	JobRunning: {JobPage: JobRunning, JobLack: JobWaiting, JobFinish: JobDone, JobCancel: JobCancelled},
	JobWaiting: {JobPage: JobRunning, JobLack: JobWaiting, JobFinish: JobDone, JobCancel: JobCancelled},
}

// NextJob is the state after an act. Error: Conflict print_job_state.
func NextJob(from JobState, do JobAct) (JobState, error) {
	to, ok := jobNext[from][do]
	if !ok {
		zh, en := from.Words()
		return from, fail.New(fail.Conflict, "print_job_state", "the print job is %s (%s) and cannot be changed by %s", from, en, do).In("该打印任务当前为“%s”，不能再办理此操作", zh)
	}
	return to, nil
}
