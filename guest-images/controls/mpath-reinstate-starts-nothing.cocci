// class: a path comes back, and what waits for one is not started by that: nor need it
//   be, since what waits asks again by itself
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/queue-if-no-path, multipath/queue-if-no-path-split
// kills: hang
// equivalent: What waits is asked for again without it, all the time: in bio mode
//   __multipath_queue_bio queues the work anew whenever no path is found, in request
//   mode dm_requeue_original_request asks again after 100 ms. The kick only makes it
//   sooner (mpath-waiter-sleeps has what is left once that is gone).

@@
@@
 reinstate_path(...)
 {
 	<...
-	run_queue = 1;
 	...>
 }
