// class: the second destination of a write starts where the first one ended
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/write-whole, raid1/read-synced, raid1
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 dispatch_io(...)
 {
 	<...
-	*dp = old_pages;
 	...>
 }
