#include "shard/dataset.h"
