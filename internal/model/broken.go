package model

// Bug is a fault planted in the protocol. The zero value is none.
type Bug int

// The bugs. Each breaks one rule, and TestBrokenProtocols says which invariant notices.
const (
	None                    Bug = iota
	AckBeforeLoad               // the worker acknowledges what it pulls
	CompletionBeforeRows        // the completion is stored while rows are on their way
	CompletionBeforeRejects     // or before the rejects are
	LastCompletionCounts        // a completion replaces the one before
	DeadBeatsDone               // in the store and in the fold
	NoMerge                     // every record of a segment is written
	LateNak                     // a worker past its lease hands back
	BaseAfterPublish            // the clock moves on when the first chunk is published
	BaseFromWallClock           // and not from the clock's document
	ClockInQueue                // the clock is wiped with the queue
	PlanAgain                   // plans are not create-only: the last one sealed counts, and each attempt makes its own
	PublishUnsealed             // a dispatcher goes by its own plan though another's was sealed
	FoldBySequence              // the fold takes the n-th news for the n-th chunk's
	NewsOnly                    // the store is not asked about what is out
	PublishOnce                 // what is out is not published again
	LedgerWithNews              // an object is entered when the first of its chunks is done
	LastReportCounts            // a report replaces the one before
	ReportFromNothing           // a job that is given up is reported without what is stored of it
	ForgetFirst                 // a job leaves the active list before its report is stored
	DeathBelieved               // the report says that a chunk is dead without a look at the store
	ForgetBlindly               // who takes a job off the active list does not look whether it was reopened
	AckBeforeAccept             // a job's message is acknowledged before the job is stored
)
