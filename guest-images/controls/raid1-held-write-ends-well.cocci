// class: a write that must wait for the operator is called good
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-held, raid1
// kills: wrong data, wrong answer, misjudged, wrong I/O
// inspired-by: commit 929be8fcb4b4, "dm raid1: hold write bios when errors
//   are handled": until then such a write succeeded, and data of the failed
//   leg might be copied back

@@
@@
 hold_bio(...)
 {
 	...
-	bio_list_add(&ms->holds, bio);
 	spin_unlock_irq(&ms->lock);
+	bio_endio(bio);
 }
