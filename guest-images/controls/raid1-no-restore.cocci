// class: nothing of the bio is put back before the retry
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-halfway, raid1
// kills: crash, wrong data, hang, wrong answer, wrong I/O
// inspired-by: linux-kernel, February 2009, "A suggestion to preserve bio
//   vector"

@@
@@
 mirror_end_io(...)
 {
 	<...
-	dm_bio_restore(bd, bio);
 	...>
 }
