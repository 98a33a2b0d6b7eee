// class: the I/O is ended when the first destination has it
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/write-whole, raid1
// kills: crash, hang, wrong data, wrong I/O, wrong answer, misjudged
// inspired-by: commit feb7695fe9fb, "dm io: fix duplicate bio completion due
//   to missing ref count"

@@
@@
 async_io(...)
 {
 	<...
-	atomic_set(&io->count, 1);
+	atomic_set(&io->count, 0);
 	...>
 }
