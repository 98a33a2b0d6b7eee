// SPDX-License-Identifier: GPL-2.0-only
/*
 * The answers to the report of February 2009, side by side.
 *
 * A device-mapper target of two legs that replaces dm-mirror for reads. It has
 * the same name, table and status line, so every scenario of a mirror's reads
 * can run on it. A read goes to the first leg. If it fails, it is resubmitted to
 * the second. The `policy` says what is restored before that:
 *
 *   fields     what was recorded in 2009: sector, size, index in the vector
 *   copy       the whole iterator, and the vector, copied when the bio arrived
 *   remainder  nothing: the bio continues where the failed leg left it
 *   iterator   the whole iterator, relying on a vector that nobody changes
 *
 * The status line ends with the cost: how many bios there were, how long it
 * took to record each and to restore those that failed, and how many bytes each
 * policy keeps for them.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

enum policy { FIELDS, COPY, REMAINDER, ITERATOR };
static const char *const policies[] = { "fields", "copy", "remainder", "iterator" };

static char *policy_name = "iterator";
module_param_named(policy, policy_name, charp, 0444);
MODULE_PARM_DESC(policy, "what is put back before a resubmission");

static enum policy policy;

struct pair {
	struct dm_target *ti;
	struct dm_dev *legs[2];
	sector_t offsets[2];
	unsigned long failed;
	unsigned long long regions;
	struct workqueue_struct *worker;
	atomic64_t bios, bytes, record_ns, restored, restore_ns;
};

struct record {
	struct pair *pair;
	struct work_struct work;
	struct bio *bio;
	unsigned int leg;
	/* What every policy must restore. */
	bio_end_io_t *end_io;
	int remaining;
	unsigned short flags;
	struct bvec_iter iter;
	/* For `copy`: the vector. */
	struct bio_vec *entries;
	unsigned int count;
};

static void send(struct pair *pair, struct bio *bio, struct record *record)
{
	bio_set_dev(bio, pair->legs[record->leg]->bdev);
}

/* How many entries of its vector the bio uses. */
static unsigned int entries_of(struct bio *bio)
{
	struct bvec_iter iter = bio->bi_iter;
	unsigned int bytes = iter.bi_size + iter.bi_bvec_done, count = 0;

	while (bytes) {
		unsigned int length = bio->bi_io_vec[iter.bi_idx + count].bv_len;

		bytes -= min(bytes, length);
		count++;
	}
	return count;
}

static void keep(struct pair *pair, struct bio *bio, struct record *record)
{
	unsigned int bytes;

	record->entries = NULL;
	switch (policy) {
	case FIELDS:
		record->iter = bio->bi_iter;
		bytes = sizeof(sector_t) + 2 * sizeof(unsigned int);
		break;
	case COPY:
		record->iter = bio->bi_iter;
		record->count = entries_of(bio);
		bytes = record->count * sizeof(struct bio_vec);
		record->entries = kmemdup(bio->bi_io_vec + bio->bi_iter.bi_idx, bytes,
					  GFP_NOIO | __GFP_NOFAIL);
		bytes += sizeof(struct bvec_iter);
		break;
	case REMAINDER:
		bytes = 0;
		break;
	default:
		record->iter = bio->bi_iter;
		bytes = sizeof(struct bvec_iter);
	}
	atomic64_add(bytes, &pair->bytes);
}

static void put_back(struct bio *bio, struct record *record)
{
	switch (policy) {
	case FIELDS:
		bio->bi_iter.bi_sector = record->iter.bi_sector;
		bio->bi_iter.bi_size = record->iter.bi_size;
		bio->bi_iter.bi_idx = record->iter.bi_idx;
		break;
	case COPY:
		memcpy(bio->bi_io_vec + record->iter.bi_idx, record->entries,
		       record->count * sizeof(struct bio_vec));
		bio->bi_iter = record->iter;
		break;
	case REMAINDER:
		break;
	default:
		bio->bi_iter = record->iter;
	}
}

static int policy_map(struct dm_target *ti, struct bio *bio)
{
	struct record *record = dm_per_bio_data(bio, sizeof(*record));
	struct pair *pair = ti->private;
	u64 from;

	record->pair = pair;
	record->bio = bio;
	record->leg = test_bit(0, &pair->failed) ? 1 : 0;
	record->entries = NULL;
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector)
				 + pair->offsets[record->leg];
	record->end_io = bio->bi_end_io;
	record->flags = bio->bi_flags;
	record->remaining = atomic_read(&bio->__bi_remaining);
	from = ktime_get_ns();
	keep(pair, bio, record);
	atomic64_add(ktime_get_ns() - from, &pair->record_ns);
	atomic64_inc(&pair->bios);
	send(pair, bio, record);
	return DM_MAPIO_REMAPPED;
}

static void resubmit(struct work_struct *work)
{
	struct record *record = container_of(work, struct record, work);
	struct bio *bio = record->bio;

	dm_table_event(record->pair->ti->table);
	send(record->pair, bio, record);
	submit_bio_noacct(bio);
}

static int policy_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct record *record = dm_per_bio_data(bio, sizeof(*record));
	struct pair *pair = ti->private;
	u64 from;

	if (!*error || bio_op(bio) != REQ_OP_READ) {
		kfree(record->entries);
		record->entries = NULL;
		return DM_ENDIO_DONE;
	}
	set_bit(record->leg, &pair->failed);
	if (record->leg == 1 || test_bit(1, &pair->failed)) {
		kfree(record->entries);
		record->entries = NULL;
		return DM_ENDIO_DONE;
	}
	from = ktime_get_ns();
	put_back(bio, record);
	atomic64_add(ktime_get_ns() - from, &pair->restore_ns);
	atomic64_inc(&pair->restored);
	bio->bi_iter.bi_sector += pair->offsets[1] - pair->offsets[0];
	/* If the policy trusts what is left of the bio and nothing is left, it is done. */
	if (!bio->bi_iter.bi_size) {
		*error = BLK_STS_OK;
		return DM_ENDIO_DONE;
	}
	bio->bi_end_io = record->end_io;
	bio->bi_flags = record->flags;
	atomic_set(&bio->__bi_remaining, record->remaining);
	bio->bi_status = BLK_STS_OK;
	record->leg = 1;
	INIT_WORK(&record->work, resubmit);
	queue_work(pair->worker, &record->work);
	return DM_ENDIO_INCOMPLETE;
}

static void policy_dtr(struct dm_target *ti)
{
	struct pair *pair = ti->private;

	destroy_workqueue(pair->worker);
	dm_put_device(ti, pair->legs[0]);
	dm_put_device(ti, pair->legs[1]);
	kfree(pair);
}

/* A mirror's table: LOG #LOGARGS LOGARGS... 2 DEVICE OFFSET DEVICE OFFSET ... */
static int policy_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	unsigned int skip, legs, leg, region;
	unsigned long long offset;
	struct pair *pair;
	char dummy;

	if (argc < 2 || sscanf(argv[1], "%u%c", &skip, &dummy) != 1 || argc < skip + 7 ||
	    sscanf(argv[2 + skip], "%u%c", &legs, &dummy) != 1 || legs != 2 ||
	    sscanf(argv[2], "%u%c", &region, &dummy) != 1 || !region) {
		ti->error = "It takes the table of a mirror of two legs";
		return -EINVAL;
	}
	argv += 3 + skip;
	pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	if (!pair)
		return -ENOMEM;
	pair->worker = alloc_workqueue("halfway-policy", WQ_MEM_RECLAIM, 0);
	if (!pair->worker)
		goto no_memory;
	for (leg = 0; leg < 2; leg++) {
		int error = -EINVAL;

		if (sscanf(argv[2 * leg + 1], "%llu%c", &offset, &dummy) == 1)
			error = dm_get_device(ti, argv[2 * leg], dm_table_get_mode(ti->table),
					      &pair->legs[leg]);
		if (error) {
			ti->error = "A leg cannot be had";
			if (leg)
				dm_put_device(ti, pair->legs[0]);
			destroy_workqueue(pair->worker);
			kfree(pair);
			return error;
		}
		pair->offsets[leg] = offset;
	}
	pair->ti = ti;
	pair->regions = DIV_ROUND_UP_ULL(ti->len, region);
	ti->private = pair;
	ti->per_io_data_size = sizeof(struct record);
	ti->num_flush_bios = 1;
	/* Like a mirror, split at the regions. */
	if (!dm_set_target_max_io_len(ti, region))
		return 0;
	policy_dtr(ti);
	return -EINVAL;
no_memory:
	kfree(pair);
	return -ENOMEM;
}

static void policy_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			  char *result, unsigned int maxlen)
{
	struct pair *pair = ti->private;
	unsigned int sz = 0;

	result[0] = '\0';
	if (type == STATUSTYPE_INFO)
		DMEMIT("2 %s %s %llu/%llu 1 %c%c 1 core policy %s bios %lld bytes %lld record_ns %lld restored %lld restore_ns %lld",
		       pair->legs[0]->name, pair->legs[1]->name,
		       pair->regions, pair->regions,
		       test_bit(0, &pair->failed) ? 'R' : 'A', test_bit(1, &pair->failed) ? 'R' : 'A',
		       policies[policy], (long long)atomic64_read(&pair->bios),
		       (long long)atomic64_read(&pair->bytes),
		       (long long)atomic64_read(&pair->record_ns),
		       (long long)atomic64_read(&pair->restored),
		       (long long)atomic64_read(&pair->restore_ns));
}

static int policy_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct pair *pair = ti->private;
	int leg, stop = 0;

	for (leg = 0; !stop && leg < 2; leg++)
		stop = fn(ti, pair->legs[leg], pair->offsets[leg], ti->len, data);
	return stop;
}

static struct target_type policy_target = {
	.name = "mirror",
	.version = { 1, 14, 0 },
	.module = THIS_MODULE,
	.ctr = policy_ctr,
	.dtr = policy_dtr,
	.map = policy_map,
	.end_io = policy_end_io,
	.status = policy_status,
	.iterate_devices = policy_iterate_devices,
};

static int __init halfway_policy_init(void)
{
	int index = match_string(policies, ARRAY_SIZE(policies), policy_name);

	if (index < 0)
		return index;
	policy = index;
	return dm_register_target(&policy_target);
}

module_init(halfway_policy_init);
MODULE_AUTHOR("Halfway");
MODULE_DESCRIPTION("The answers to a bio that failed halfway, side by side");
MODULE_LICENSE("GPL");
