#include "image/decoder.h"
