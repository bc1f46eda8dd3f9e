CREATE TABLE "Pool" (
    "id" TEXT NOT NULL,
    "chain" TEXT NOT NULL,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "Pool_pkey" PRIMARY KEY ("id")
);
