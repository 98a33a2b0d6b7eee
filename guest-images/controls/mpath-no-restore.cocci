// class: nothing of the bio is put back before it is sent down another path
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: crash, wrong data, hang, wrong answer, wrong I/O
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"

@@
@@
 process_queued_bios(...)
 {
 	<...
-	dm_bio_restore(...);
 	...>
 }
