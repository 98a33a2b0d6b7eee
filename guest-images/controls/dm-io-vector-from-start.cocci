// class: a bio's pages are taken from the start of its vector, wherever it
//   begins
// module: dm-mod
// file: drivers/md/dm-io.c
// scenarios: raid1/read-across-regions, raid1/write-merged, raid1
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 bio_dp_init(...)
 {
 	...
 	dp->context_bi = bio->bi_iter;
+	dp->context_bi.bi_idx = 0;
+	dp->context_bi.bi_bvec_done = 0;
 }
