// class: once a leg has failed, writes go to the first leg only
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-buffered, raid1/write-beneath-linear, raid1
// kills: wrong data, wrong I/O

@@
@@
 do_write(...)
 {
 	...
 	BUG_ON(dm_io(&io_req,
-	ms->nr_mirrors
+	ms->leg_failure ? 1 : ms->nr_mirrors
 	, io, ...));
 }
