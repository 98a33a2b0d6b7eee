// class: a write that one leg failed ends as if all had it
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-whole, raid1/write-halfway, raid1
// kills: misjudged, wrong data, wrong answer, wrong I/O
// inspired-by: commit 72f4b314100b, "dm raid1: handle write failures"

@@
identifier i;
@@
 write_callback(...)
 {
 	...
+	bio_endio(bio);
+	return;
 	for (i = 0; i < ms->nr_mirrors; i++)
 		if (test_bit(i, &error))
 			fail_mirror(...);
 	...
 }
