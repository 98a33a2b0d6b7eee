// class: a write goes to the first leg only
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-whole, raid1
// kills: wrong data, wrong I/O

@@
@@
 do_write(...)
 {
 	...
 	BUG_ON(dm_io(&io_req,
-	ms->nr_mirrors
+	1
 	, io, ...));
 }
