// class: a path comes back, and what waits for one is not started by that: nor need it
//   be, since what waits asks again by itself
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/queue-if-no-path, multipath/queue-if-no-path-split
// kills: hang
// equivalent: waiting I/O is retried without it, all the time. In bio mode
//   __multipath_queue_bio queues the work again whenever no path is found; in request
//   mode dm_requeue_original_request retries after 100 ms. The kick only makes it
//   sooner (mpath-waiter-sleeps shows what happens without these retries).

@@
@@
 reinstate_path(...)
 {
 	<...
-	run_queue = 1;
 	...>
 }
