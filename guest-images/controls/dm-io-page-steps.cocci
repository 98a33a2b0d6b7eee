// class: each step through a bio's vector is a page, however long the
//   segment
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/write-halfway, raid1
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 bio_next_page(...)
 {
 	...
-	bvec_iter_advance((struct bio_vec *)dp->context_ptr, &dp->context_bi, len);
+	bvec_iter_advance((struct bio_vec *)dp->context_ptr, &dp->context_bi, min_t(unsigned int, PAGE_SIZE, dp->context_bi.bi_size));
 }
