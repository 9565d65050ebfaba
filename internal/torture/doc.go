// Package torture does to a register what it must outlive: a process that is
// killed in the middle of its work, and a machine that loses its power.
//
// A [Scene] is a register with work to do; [Scene.Work] does it, with several
// goroutines, and acknowledges each finished step on a line ([Ack]); after the
// process has died [Scene.Verify] holds the register to every line that got out.
//
// A kill proves nothing about syncing, since the kernel keeps what was written.
// So [Record] watches, with strace, every write and every sync that a process
// makes, and [Recording.Cut] rebuilds a file as a power cut at one moment could
// have left it: what was synced, and of the rest whatever the disk had got to,
// by sectors. An acknowledgement counts from the moment at which the process
// wrote it, so a program that acknowledges before it syncs is found out.
//
// [Race] lets payers race for the claims of the same people, as a [RacePlan] has
// them, and holds what they did to a model that shares nothing with the engine.
//
// [Tap] stands between a kv.DB and its engine and notes what goes through, so
// that benchmarks can repeat the necessary part of a use case alone ([Limit]).
package torture
