/* What compilers make layouts of. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define packed __attribute__((packed))
#define aligned(n) __attribute__((aligned(n)))

enum color { RED, GREEN = 7, BLUE };
enum change { DOWN = -1, UP = 1 };
enum wide { NARROW, WIDE = 1ull << 40 };

struct bits {
	u32 a : 3;
	int b : 5;
	u8 c;
	u64 d : 40;
	u64 : 0;
	_Bool e : 1;
	enum color f : 4;
	enum change g : 2;
	signed char h : 3;
	u64 i : 63;
	u64 j;
	u8 k : 7;
};
struct packed_bits {
	u8 a : 3;
	u32 b : 30;
	u64 c : 33;
	u16 d;
} packed;
struct whole_bits {
	int a : 32;
	u64 b : 64;
	u16 : 5;
	u16 c : 11;
};
union bit_union {
	u32 a : 5;
	int b : 3;
	u64 all;
};

struct tight {
	u8 a;
	u32 b;
	u16 c;
} packed;
struct half_tight {
	u32 a;
	u64 b;
} packed aligned(4);
struct odd_holder {
	u8 a;
	struct tight b;
	struct half_tight c;
	u8 d[3];
} packed;

struct spread {
	u8 a;
	u64 b aligned(64);
	u8 c;
};
struct spread_holder {
	u8 a;
	struct spread b;
	u8 c aligned(32);
};

struct unnamed {
	int kind;
	union {
		struct {
			u16 x, y;
		};
		u32 both;
		struct {
			u8 r, g, b;
		} color;
	};
	struct {
		int z;
	} named[2];
	union {
		u8 last;
	};
};
union mixed {
	u8 bytes[13];
	u64 number aligned(16);
	struct {
		u32 low, high;
	};
};
union tight_union {
	u8 a;
	u32 b;
	u8 c[5];
} packed;

struct flexible {
	u16 count;
	u32 items[];
};
struct flexible_within {
	u8 a;
	struct {
		u64 b;
	} none[0];
	u32 c;
	char d[0];
};
struct empty {
};
struct holds_empty {
	struct empty a;
	int b;
	struct empty c[3];
};

struct declared;
typedef int (*callback)(struct declared *, const char *, ...);
typedef void action(struct unnamed *);
struct pointers {
	struct declared *a;
	const volatile int *b;
	void *c;
	const void *d;
	struct pointers *restrict e;
	int (*f)[3];
	callback g;
	action *h;
	int (*const i[2])(u32);
	void *(*j)(void *(*)(void), enum color);
	u8 k;
};

struct numbers {
	__int128 a;
	char b;
	signed char c;
	_Bool d;
	float e;
	double f;
	short g[2][3];
	unsigned __int128 h[1];
	enum wide i;
	enum change j;
};

typedef struct {
	int counter;
} counter;
typedef struct {
	int counter;
} other_counter;
typedef enum { ONE = 1, TWO } few;
typedef struct tagged {
	int a;
} tagged;
typedef counter counters[4];
struct names {
	int type, match, self, crate, async, dyn, gen, where, u64, a___2;
	counter counter;
	other_counter other;
	counters many;
	few few;
	tagged tagged;
	enum { FIRST, SECOND } own;
};

#define EACH_TYPE(type) \
	type(struct, bits) type(struct, packed_bits) type(struct, whole_bits) type(union, bit_union) \
	type(struct, tight) type(struct, half_tight) type(struct, odd_holder) \
	type(struct, spread) type(struct, spread_holder) \
	type(struct, unnamed) type(union, mixed) type(union, tight_union) \
	type(struct, flexible) type(struct, flexible_within) type(struct, empty) type(struct, holds_empty) \
	type(struct, pointers) type(struct, numbers) type(struct, names)
