// class: a write that must wait for the operator is failed
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-held, raid1
// kills: wrong answer

@@
@@
 hold_bio(...)
 {
 	...
-	bio_list_add(&ms->holds, bio);
 	spin_unlock_irq(&ms->lock);
+	bio_io_error(bio);
 }
